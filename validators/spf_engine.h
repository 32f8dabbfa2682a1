/* The evaluating library (libspf2), in a world of our own making: spf_run behind placeholders. */
#ifndef VALIDATORS_SPF_ENGINE_H
#define VALIDATORS_SPF_ENGINE_H

#include "validators/spf_run.h"

struct spf_engine;

/* Returns: NULL when memory is out. */
struct spf_engine *spf_engine_new(void);
void spf_engine_free(struct spf_engine **engine);

/* Evaluates the record of run->places[0]. Returns: what the library says; run's trouble overrides it. */
enum auth_result spf_engine_evaluate(struct spf_engine *engine, struct spf_run *run);

#endif
