/*
 * scripts - the Redis scripts of scripts.def, compiled in.
 */
#ifndef DR_SCRIPTS_H
#define DR_SCRIPTS_H

#include "io/store.h"

#define DR_SCRIPT(name) extern struct dr_script dr_script_##name;
#include "scripts/scripts.def"
#undef DR_SCRIPT

#endif
