/* cli/ps_table.h: ps(1)'s columns for processes that its host doesn't see. */
#ifndef RF_CLI_PS_TABLE_H
#define RF_CLI_PS_TABLE_H

#include "runtime/runtime.h"

/* Prints them to standard output as ps(1) does with these options. ERR_USAGE for one that isn't
 * known here. */
int out_ps(const struct rt_process *list, size_t n, char *const *argv, size_t argc, struct err *e);

#endif
