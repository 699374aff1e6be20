#ifndef CSQLITE_H
#define CSQLITE_H

#include <sqlite3.h>

// sqlite3_bind_text with a copy of the text. The macro that requests the copy is a cast, which Swift does not import.
int csqlite_bind_text(sqlite3_stmt *statement, int index, const char *text, int length);

#endif
