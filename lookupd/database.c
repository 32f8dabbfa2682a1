#include "lookupd/database.h"

#include <stdlib.h>
#include <sys/mman.h>

void
database_free(struct database **db)
{
	if (*db == NULL)
		return;
	if ((*db)->mapped)
		munmap((*db)->octets, (*db)->len);
	else
		free((*db)->octets);
	free(*db);
	*db = NULL;
}

enum cdbfile_status
database_get(const struct database *db, struct span key, struct span *value_out)
{
	if (db->get != NULL)
		return db->get(db->from, key, value_out);
	return cdbfile_get(&db->cdb, key, value_out);
}

enum cdbfile_status
database_next(
    const struct database *db, struct database_at *at, struct span *key_out, struct span *value_out)
{
	if (!at->begun) {
		at->begun = true;
		at->at = CDBFILE_HEAD;
	}
	return cdbfile_next(&db->cdb, &at->at, key_out, value_out);
}
