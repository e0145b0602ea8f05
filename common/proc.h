/* common/proc.h: our own procfs, which no container can put a mount over.
 *
 * Reads and writes of /proc that matter (sysctl, oom_score_adj, id maps, labels)
 * go through a private, detached procfs mount; the descriptor is checked to be
 * procfs. See docs/security.md on CVE-2025-52881.
 */
#ifndef RF_COMMON_PROC_H
#define RF_COMMON_PROC_H

#include "common/err.h"

#include <stdint.h>
#include <sys/types.h>

/* A detached procfs mount of the caller's pid namespace (fsopen(2)); falls back to a checked
 * /proc where the caller may not mount. Returns the descriptor. */
int proc_open(struct err *e);
/* The same with processes alone in it (proc(5), subset=pid) and read-only: for somebody who needs
 * his own descriptors and may be taken over. */
int proc_open_bare(struct err *e);
/* Gives back the pages of the program's code and constants that this process has mapped; what it
 * still runs comes back as it is needed, from the cache that all processes share. For one that did
 * much at its start and little from now on. */
void proc_shed_program(void);
/* One write to `path` beneath the procfs descriptor, without crossing mounts or magic links. */
int proc_write(int procfd, const char *path, const char *data, struct err *e);
/* Start time of a process in clock ticks since boot (proc_pid_stat(5) field 22): with the pid it
 * names a process for as long as the host is up. -ESRCH when there is none. procfd -1: /proc. */
int proc_start_time(int procfd, pid_t pid, uint64_t *ret_ticks, struct err *e);
/* State letter of a process ('R','S','Z' …) with its start time in one read. */
int proc_stat(int procfd, pid_t pid, char *ret_state, uint64_t *ret_ticks, struct err *e);

#endif
