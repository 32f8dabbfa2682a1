#include "lookupd/database.h"

#include <stdlib.h>

void
database_free(struct database **db)
{
	if (*db == NULL)
		return;
	free((*db)->octets);
	free(*db);
	*db = NULL;
}
