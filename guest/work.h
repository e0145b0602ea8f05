/* guest/work.h: one request, in a process of its own. */
#ifndef RF_GUEST_WORK_H
#define RF_GUEST_WORK_H

#include "guest/agent.h"

#include "common/arena.h"
#include "common/str.h"
#include "runtime/runtime.h"
#include "spec/json.h"

struct guest_job {
	const struct guest_place *place;
	struct rt_env env;
	struct arena arena;
	const struct json *ask; /* the request */
	const char *id;         /* of the container, where the verb has one */
	int conn, link;
	bool handed;       /* the agent answers, at its time */
	bool end_machine;  /* once it is answered */
	struct strbuf ok;  /* members of the answer */
	struct strbuf log; /* warnings, as members of a list */
};

/* link.c: the worker's side of the link. A failure is the agent's word for it. */
int guest_ask(struct guest_job *j, struct guest_ask *ask, int fd, struct guest_reply *ret_reply,
	      struct err *e);
/* While a container's process is born, the client's connection must not be open here. */
void guest_leave(struct guest_job *j);
int guest_borrow(struct guest_job *j, struct err *e);

/* fields.c: members of the request; absent ones keep what ret holds. ERR_USAGE with the name. */
int guest_get_string(const struct guest_job *j, const char *key, bool needed, const char **ret,
		     struct err *e);
int guest_get_bool(const struct guest_job *j, const char *key, bool *ret, struct err *e);
int guest_get_int(const struct guest_job *j, const char *key, int64_t min, int64_t max,
		  int64_t *ret, struct err *e);
int guest_get_strings(struct guest_job *j, const char *key, const char *const **ret, size_t *ret_n,
		      struct err *e);
/* "process": "init" is 0. */
int guest_get_process(const struct guest_job *j, uint32_t *ret_token, struct err *e);

/* launch.c: the verbs that make a process. */
int guest_create(struct guest_job *j, struct err *e);
int guest_exec(struct guest_job *j, struct err *e);
/* The bundle that create wrote. */
void guest_remove_bundle(const struct guest_job *j);

/* ps.c: an object for the process, or nothing when it is gone. */
void guest_put_process(struct json_out *o, pid_t pid);

/* machine.c: the verbs of the whole guest. */
int guest_reseed(struct guest_job *j, struct err *e);
int guest_net(struct guest_job *j, struct err *e);
int guest_release(struct guest_job *j, struct err *e);
int guest_shutdown(struct guest_job *j, struct err *e);
/* shares.c: what the host shares no longer is unmounted. */
int guest_tidy(struct guest_job *j, struct err *e);

/* A member of the answer: `"key":` with a comma where one is needed. */
void guest_key(struct guest_job *j, const char *key);

#endif
