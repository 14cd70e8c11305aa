/*
 * list - an intrusive doubly linked list. A node stands in at most one list; an
 * empty head, and a node in no list, point at themselves.
 */
#ifndef DR_LIST_H
#define DR_LIST_H

#include <stdbool.h>

#include "base/dr_assert.h"

struct dr_list {
	struct dr_list *prev, *next;
};

#define DR_LIST_INIT(l)                                                                \
	{                                                                              \
		&(l), &(l)                                                             \
	}

static inline void
dr_list_init(struct dr_list *l)
{
	l->prev = l->next = l;
}

static inline bool
dr_list_empty(const struct dr_list *l)
{
	return l->next == l;
}

static inline void
dr_list_append(struct dr_list *head, struct dr_list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

/* Take `node` out of its list; harmless when it is in none. */
static inline void
dr_list_remove(struct dr_list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	dr_list_init(node);
}

static inline struct dr_list *
dr_list_pop(struct dr_list *head)
{
	struct dr_list *node = head->next;

	if (node == head)
		return NULL;
	dr_list_remove(node);
	return node;
}

/* Move all of `from` to the end of `to`; `from` is empty afterwards. */
static inline void
dr_list_take_all(struct dr_list *to, struct dr_list *from)
{
	if (dr_list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	dr_list_init(from);
}

#define DR_LIST_ENTRY(node, type, member) DR_CONTAINER_OF(node, type, member)

#define DR_LIST_FOREACH(node, head)                                                    \
	for (struct dr_list *node = (head)->next; node != (head); node = node->next)

/* The body may remove `node` itself, no other. */
#define DR_LIST_FOREACH_SAFE(node, head)                                               \
	for (struct dr_list *node = (head)->next, *node##_next = node->next;           \
	     node != (head); node = node##_next, node##_next = node->next)

#endif
