/* cli/cmd_info.c: info: what this host offers, and what of it we can use. */
#include "cli/opt.h"

#include "cgroups/cgroup.h"
#include "common/arena.h"
#include "common/file.h"
#include "common/str.h"
#include "spec/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

struct controllers {
	struct json_out *o; /* NULL: text */
	size_t n;
};

static void put_controller(void *arg, const char *name, const char *mountpoint, bool v2)
{
	struct controllers *l = arg;

	l->n++;
	if (!l->o) {
		printf("  %-12s v%d  %s\n", name, v2 ? 2 : 1, mountpoint);
		return;
	}
	json_obj_open(l->o, NULL);
	json_put_str(l->o, "name", name);
	json_put_u64(l->o, "version", v2 ? 2 : 1);
	json_put_str(l->o, "mountpoint", mountpoint);
	json_obj_close(l->o);
}

static bool cpu_has(const char *flag)
{
	auto_str text = NULL;
	struct err none;

	if (file_read_at(AT_FDCWD, "/proc/cpuinfo", 4u << 20, &text, NULL, &none) < 0)
		return false;
	const char *flags = strstr(text, "\nflags");
	const char *hit = flags ? strstr(flags, flag) : NULL;
	return hit && hit < flags + strcspn(flags + 1, "\n");
}

/* What stands behind /dev/kvm: the module names it; a paravirtual one can't run a Linux guest. */
static const char *kvm_words(void)
{
	if (access("/dev/kvm", F_OK) < 0)
		return cpu_has(" vmx") || cpu_has(" svm") ? "no /dev/kvm (the CPU could: load the "
							    "kvm module)"
							  : "no /dev/kvm";
	if (access("/dev/kvm", R_OK | W_OK) < 0)
		return "/dev/kvm is there, but not for this user";
	if (access("/sys/module/kvm_intel", F_OK) == 0)
		return "VT-x";
	if (access("/sys/module/kvm_amd", F_OK) == 0)
		return "AMD-V";
	return "/dev/kvm without VT-x or AMD-V (paravirtual): not for Linux guests";
}

static void put_namespaces(struct json_out *o)
{
	static const char *const names[] = {"cgroup", "ipc",  "mnt",  "net",
					    "pid",    "time", "user", "uts"};
	char path[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		if (access(path, F_OK) < 0)
			continue;
		if (o)
			json_put_str(o, NULL, names[i]);
		else
			printf(" %s", names[i]);
	}
}

static int as_text(struct cli *c, const struct utsname *u, const char *mode, struct err *e)
{
	struct controllers l = {0};

	printf("ringfence   " RF_VERSION ", OCI runtime-spec " SPEC_VERSION "\n");
	printf("kernel      %s %s\n", u->release, u->machine);
	printf("user        %s\n", geteuid() == 0 ? "root" : "unprivileged");
	printf("state       %s\n", c->rt.root);
	printf("namespaces ");
	put_namespaces(NULL);
	printf("\nseccomp     %s\n",
	       access("/proc/sys/kernel/seccomp/actions_avail", F_OK) == 0 ? "yes" : "no");
	printf("AppArmor    %s\n",
	       access("/sys/kernel/security/apparmor", F_OK) == 0 ? "yes" : "no");
	printf("SELinux     %s\n", access("/sys/fs/selinux/enforce", F_OK) == 0 ? "yes" : "no");
	printf("KVM         %s\n", kvm_words());
	printf("isolation   shared, microvm (see ringfence vm check)\n");
	printf("cgroups     %s\n", mode);
	return cg_controllers(put_controller, &l, e);
}

static int as_json(struct cli *c, const struct utsname *u, const char *mode, struct err *e)
{
	auto_strbuf b = {0};
	struct json_out o;
	struct controllers l = {.o = &o};

	json_out_init(&o, &b, "\t");
	json_obj_open(&o, NULL);
	json_put_str(&o, "version", RF_VERSION);
	json_put_str(&o, "spec", SPEC_VERSION);
	json_put_str(&o, "kernel", u->release);
	json_put_str(&o, "machine", u->machine);
	json_put_bool(&o, "root", geteuid() == 0);
	json_put_str(&o, "state", c->rt.root);
	json_arr_open(&o, "namespaces");
	put_namespaces(&o);
	json_arr_close(&o);
	json_put_bool(&o, "seccomp", access("/proc/sys/kernel/seccomp/actions_avail", F_OK) == 0);
	json_put_bool(&o, "apparmor", access("/sys/kernel/security/apparmor", F_OK) == 0);
	json_put_bool(&o, "selinux", access("/sys/fs/selinux/enforce", F_OK) == 0);
	json_put_str(&o, "kvm", kvm_words());
	json_put_str(&o, "cgroups", mode);
	json_arr_open(&o, "controllers");
	int rc = cg_controllers(put_controller, &l, e);
	json_arr_close(&o);
	json_obj_close(&o);
	if (rc >= 0)
		printf("%s\n", b.s ? b.s : "");
	return rc;
}

int cmd_info(struct cli *c, struct err *e)
{
	auto_arena a = {0};
	struct cg_layout *layout = NULL;
	struct utsname u;
	int rc = cg_discover(&a, &layout, e);

	if (rc < 0)
		return rc;
	if (uname(&u) < 0)
		return err_sys(e, errno, NULL, "uname");
	const char *mode = cg_mode_word(layout->mode);
	rc = str_eq(c->format, "json") ? as_json(c, &u, mode, e) : as_text(c, &u, mode, e);
	cg_layout_close(layout);
	return rc;
}
