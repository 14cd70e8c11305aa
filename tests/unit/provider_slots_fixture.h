/*
 * provider_slots_fixture - owners of slots, over the directory of providers_fixture.
 * Each test program includes it once.
 */
#ifndef DR_TESTS_PROVIDER_SLOTS_FIXTURE_H
#define DR_TESTS_PROVIDER_SLOTS_FIXTURE_H

#include "providers_fixture.h"

struct owner {
	struct dr_provider_lease lease;
	unsigned n_done;
	enum dr_error err;
};

static void
on_slot(struct dr_provider_lease *lease, enum dr_error err)
{
	struct owner *owner = DR_CONTAINER_OF(lease, struct owner, lease);

	owner->n_done++;
	owner->err = err;
}

static void
take(struct owner *owner, struct dr_provider *p, const char *id)
{
	owner->n_done = 0;
	dr_provider_take(providers, &owner->lease, p, id, on_slot);
	assert_int_equal(owner->n_done, 0); /* never inside the call */
}

static enum dr_error
taken(struct owner *owner, struct dr_provider *p, const char *id)
{
	take(owner, p, id);
	TURN_UNTIL(owner->n_done > 0);
	assert_int_equal(owner->n_done, 1);
	assert_int_equal(owner->lease.held, owner->err == DR_OK);
	assert_ptr_equal(owner->lease.provider, p);
	return owner->err;
}

static void
give(struct owner *owner)
{
	dr_provider_give(providers, &owner->lease);
	assert_null(owner->lease.provider);
}

#define ALL_GIVEN() TURN_UNTIL(dr_providers_leases(providers) == 0)

#endif
