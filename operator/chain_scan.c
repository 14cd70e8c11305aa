/*
 * chain_scan - see the header. A deposit is (chain, transaction, position among the
 * receipt's logs): the log index that nodes give counts per block, and a transaction
 * that a re-organisation moves gets another one.
 */
#include "operator/chain_scan.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/money.h"

#define MAX_TOPICS 4

/* A string member; NULL where it is absent or none. */
static const char *
text_of(struct json_object *object, const char *field)
{
	struct json_object *value;

	if (!json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, field, &value) ||
	    !json_object_is_type(value, json_type_string))
		return NULL;
	return json_object_get_string(value);
}

const char *
dr_scan_quantity(struct json_object *value, int64_t *out)
{
	if (!json_object_is_type(value, json_type_string) ||
	    !dr_eth_quantity(json_object_get_string(value), out))
		return "not a quantity in hexadecimal";
	return NULL;
}

const char *
dr_scan_block(struct json_object *value, struct dr_scan_block *out)
{
	if (!dr_eth_quantity(text_of(value, "number"), &out->number))
		return "block: number";
	if (!dr_eth_hash(text_of(value, "hash"), out->hash))
		return "block: hash";
	return NULL;
}

/* The parts that a log of eth_getLogs and one of a receipt have in common. */
static const char *
read_log(struct json_object *value, const struct dr_chain *chain,
    struct dr_scan_log *out, enum dr_erc20_result *result)
{
	const char *topics[MAX_TOPICS] = { NULL };
	struct json_object *list = NULL, *removed;
	struct dr_erc20_log log = { .topics = topics };

	if (!dr_eth_hash(text_of(value, "transactionHash"), out->tx))
		return "log: transactionHash";
	if (!dr_eth_hash(text_of(value, "blockHash"), out->block.hash))
		return "log: blockHash";
	if (!dr_eth_quantity(text_of(value, "blockNumber"), &out->block.number))
		return "log: blockNumber";
	if (!dr_eth_quantity(text_of(value, "logIndex"), &out->log_index))
		return "log: logIndex";
	if (json_object_object_get_ex(value, "removed", &removed) &&
	    json_object_get_boolean(removed))
		return "log: removed";
	(void)json_object_object_get_ex(value, "topics", &list);
	if (!json_object_is_type(list, json_type_array) ||
	    json_object_array_length(list) > MAX_TOPICS)
		return "log: topics";
	log.n_topics = json_object_array_length(list);
	for (size_t i = 0; i < log.n_topics; i++) {
		struct json_object *topic = json_object_array_get_idx(list, i);

		if (!json_object_is_type(topic, json_type_string))
			return "log: topics";
		topics[i] = json_object_get_string(topic);
	}
	log.address = text_of(value, "address");
	log.data = text_of(value, "data");
	*result = dr_erc20_read(&log, chain->usdc, chain->treasury, &out->transfer);
	return NULL;
}

const char *
dr_scan_log(struct json_object *value, const struct dr_chain *chain, int64_t from,
    int64_t to, struct dr_scan_log *out, bool *ours)
{
	enum dr_erc20_result result;
	const char *wrong = read_log(value, chain, out, &result);

	if (wrong != NULL)
		return wrong;
	if (result == DR_ERC20_MALFORMED)
		return "log: address, topics or data of a transfer";
	if (out->block.number < from || out->block.number > to)
		return "log: blockNumber outside of what was asked";
	*ours = result == DR_ERC20_OK;
	return NULL;
}

/* status, transactionHash, blockHash, blockNumber and the logs. */
static const char *
read_receipt(struct json_object *receipt, const char *tx, struct dr_scan_block *block,
    bool *success, struct json_object **logs)
{
	char hash[DR_ETH_HASH_TEXT];
	int64_t status;

	if (!dr_eth_hash(text_of(receipt, "transactionHash"), hash) ||
	    strcmp(hash, tx) != 0)
		return "receipt: transactionHash";
	if (!dr_eth_hash(text_of(receipt, "blockHash"), block->hash))
		return "receipt: blockHash";
	if (!dr_eth_quantity(text_of(receipt, "blockNumber"), &block->number))
		return "receipt: blockNumber";
	if (!dr_eth_quantity(text_of(receipt, "status"), &status))
		return "receipt: status";
	*success = status == 1;
	if (!json_object_object_get_ex(receipt, "logs", logs) ||
	    !json_object_is_type(*logs, json_type_array))
		return "receipt: logs";
	return NULL;
}

const char *
dr_scan_position(struct json_object *receipt, const struct dr_chain *chain,
    const struct dr_scan_log *log, size_t *position)
{
	struct json_object *logs;
	struct dr_scan_block block;
	bool success;
	const char *wrong = read_receipt(receipt, log->tx, &block, &success, &logs);

	if (wrong != NULL)
		return wrong;
	if (strcmp(block.hash, log->block.hash) != 0)
		return "receipt: blockHash is not the log's (moved meanwhile)";
	if (!success)
		return "receipt: status says that it failed";
	for (size_t i = 0; i < json_object_array_length(logs); i++) {
		struct json_object *value = json_object_array_get_idx(logs, i);
		struct dr_scan_log other;
		enum dr_erc20_result result;
		int64_t index;

		if (!dr_eth_quantity(text_of(value, "logIndex"), &index))
			return "receipt: logs: logIndex";
		if (index != log->log_index)
			continue;
		wrong = read_log(value, chain, &other, &result);
		if (wrong != NULL)
			return wrong;
		if (result != DR_ERC20_OK ||
		    strcmp(other.transfer.from, log->transfer.from) != 0 ||
		    other.transfer.units != log->transfer.units)
			return "receipt: logs: another transfer than the log's";
		*position = i;
		return NULL;
	}
	return "receipt: logs: the log is not among them";
}

const char *
dr_scan_review(struct json_object *receipt, struct json_object *block,
    const struct dr_chain *chain, const struct dr_scan_log *seen, size_t position,
    enum dr_scan_verdict *verdict, struct dr_scan_log *now)
{
	struct json_object *logs;
	struct dr_scan_block canonical, at;
	enum dr_erc20_result result;
	bool success;
	const char *wrong;

	*verdict = DR_SCAN_GONE;
	if (receipt == NULL)
		return NULL;
	wrong = read_receipt(receipt, seen->tx, &at, &success, &logs);
	if (wrong != NULL)
		return wrong;
	if (!success || position >= json_object_array_length(logs))
		return NULL;
	wrong =
	    read_log(json_object_array_get_idx(logs, position), chain, now, &result);
	if (wrong != NULL)
		return wrong;
	if (result != DR_ERC20_OK || now->transfer.units != seen->transfer.units ||
	    strcmp(now->transfer.from, seen->transfer.from) != 0)
		return NULL;
	if (strcmp(now->block.hash, at.hash) != 0)
		return "receipt: logs: blockHash";
	*verdict = DR_SCAN_MOVED;
	if (strcmp(at.hash, seen->block.hash) != 0)
		return NULL;
	if (block == NULL)
		return "block: the node has none where its own receipt points";
	wrong = dr_scan_block(block, &canonical);
	if (wrong != NULL)
		return wrong;
	if (canonical.number != at.number || strcmp(canonical.hash, at.hash) != 0)
		return "block: hash is not the receipt's (moved meanwhile)";
	*verdict = DR_SCAN_THERE;
	return NULL;
}

int64_t
dr_scan_nano(const struct dr_erc20_transfer *transfer)
{
	if (!transfer->fits || transfer->units > DR_MONEY_MAX / DR_NANO_PER_UNIT)
		return -1;
	return transfer->units * DR_NANO_PER_UNIT;
}

bool
dr_scan_confirmed(const struct dr_chain *chain, int64_t nano, int64_t block,
    const struct dr_scan_heads *heads)
{
	if (chain->policy == DR_CHAIN_FINALIZED ||
	    (chain->finalized_above > 0 && nano > chain->finalized_above))
		return block <= heads->finalized;
	if (chain->policy == DR_CHAIN_SAFE)
		return block <= heads->safe;
	return heads->head - block + 1 >= chain->confirmations;
}

const char *
dr_scan_ancestor(const struct dr_scan_block *checkpoints,
    const char (*hashes)[DR_ETH_HASH_TEXT], size_t n, size_t *at)
{
	bool differs = false;

	for (*at = 0; *at < n; (*at)++) {
		if (strcmp(hashes[*at], checkpoints[*at].hash) == 0)
			break;
		differs = differs || hashes[*at][0] != '\0';
	}
	return *at > 0 && !differs
		   ? "the node is behind: it lacks blocks that were looked through"
		   : NULL;
}

int64_t
dr_scan_halve(int64_t span)
{
	return span > 1 ? span / 2 : 1;
}

int64_t
dr_scan_grow(int64_t span, int64_t most)
{
	span += span / 4 + 1;
	return span < most ? span : most;
}
