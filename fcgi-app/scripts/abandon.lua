-- abandon - entries of processes that died: each is booked at its last checkpoint, once, and
-- gives back what it held. Its receipt names what was charged, so that a settlement that still
-- comes books the difference only (settle.lua).
--
-- An entry that was renewed while it cost something says who served it and at which price
-- (lease_renew.lua); tokens stand on the receipt alone, since those of a late row are all of them.
--
-- Needs common.lua. Gives the number of entries taken out of {a:ACCT}:open:KID, `most` of them (nil: all).
local function abandon(kid, now, sweep_after, receipt_ms, most)
	local prefix = string.sub(KEYS[1], 1, -8) -- '{a:ACCT}:'
	local open, taken = prefix .. 'open:' .. kid, 0
	local entries = call('HGETALL', open)
	for i = 1, #entries, 2 do
		local id = entries[i]
		local hold, expiry, cost, window, made_of =
			string.match(entries[i + 1], '^(%d+) (%d+) (%d+) (%S+)(.*)$')
		if most and taken >= most then
			break
		end
		if hold and now - expiry >= sweep_after then
			local minus_hold, told = text(-tonumber(hold)), ''
			local list, n_in, cw5, cw1, cr, out, web, price, provider, model = string.match(made_of,
				'^ (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+) (%S+) (.+)$')
			if model then
				told = string.format(',"model_served":%s,"provider":%s,"price_date":%s,"list_nano_usd":%s,' ..
					'"usage":{"input":%s,"cache_write_5m":%s,"cache_write_1h":%s,"cache_read":%s,' ..
					'"output":%s,"web_searches":%s}', cjson.encode(model), cjson.encode(provider),
					cjson.encode(price), list, n_in, cw5, cw1, cr, out, web)
			end
			call('HDEL', open, id)
			call('HINCRBY', KEYS[1], 'running', -1)
			call('HINCRBY', KEYS[1], 'held', minus_hold)
			call('HINCRBY', KEYS[1], kid .. '.held:' .. window, minus_hold)
			local after = call('HINCRBY', KEYS[1], 'balance', text(-tonumber(cost)))
			call('HINCRBY', KEYS[1], kid .. '.spent:' .. window, cost)
			if window ~= 'total' then
				call('HINCRBY', KEYS[1], kid .. '.spent:total', cost)
			end
			call('SET', prefix .. 'receipt:' .. id,
				string.format('{"abandoned_nano_usd":%s,"id":"%s","key":"%s","status":0,' ..
					'"error":"ABANDONED"%s,"balance_after_nano_usd":%.0f}', cost, id, kid, told, after),
				'PX', receipt_ms)
			call('XADD', prefix .. 'ledger', '*', 'type', 'abandoned', 'req', id, 'key', kid,
				'nano', text(-tonumber(cost)), 'balance', text(after), 'model', model or '',
				'provider', provider or '', 'price', price or '', 'in', '0', 'cw5', '0', 'cw1', '0', 'cr', '0', 'out', '0', 'web', '0',
				'flags', '', 'window', window, 'list', list or '')
			call('XADD', prefix .. 'requests', 'MAXLEN', '~', '10000', '*', 'req', id, 'key', kid,
				'model', model or '', 'status', '0', 'error', 'ABANDONED')
			taken = taken + 1
		end
	end
	return taken
end
