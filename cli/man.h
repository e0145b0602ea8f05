/* cli/man.h: the texts of the man pages that the tables of verbs and options don't hold. */
#ifndef RF_CLI_MAN_H
#define RF_CLI_MAN_H

struct man_text {
	const char *verb;
	const char *more;     /* paragraphs of DESCRIPTION, or NULL */
	const char *examples; /* the EXAMPLES section, or NULL */
	const char *related;  /* verbs, for SEE ALSO, or NULL */
};

/* Never NULL: a row of NULLs for a verb that has none. */
const struct man_text *man_text_of(const char *verb);

#endif
