#include "queue-handoff/answer.h"

enum handoff_outcome
verdicts_outcome(const uint8_t *verdicts, unsigned count)
{
	static const enum handoff_outcome outcomes[VERDICTS] = {
	    [VERDICT_NONE] = HANDOFF_BROKEN,
	    [VERDICT_TAKEN] = HANDOFF_TAKEN,
	    [VERDICT_DEFERRED] = HANDOFF_DEFERRED,
	    [VERDICT_REFUSED] = HANDOFF_REFUSED,
	    [VERDICT_DOUBTED] = HANDOFF_DOUBTED,
	};

	for (unsigned i = 1; i < count; i++)
		if (verdicts[i] != verdicts[0])
			return HANDOFF_MIXED;
	return outcomes[verdicts[0]];
}
