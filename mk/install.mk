# make install: the binary, man pages and completions, made from the program's own tables.

BINDIR := $(DESTDIR)$(PREFIX)/bin
MANDIR := $(DESTDIR)$(PREFIX)/share/man/man8
SHAREDIR := $(DESTDIR)$(PREFIX)/share
VERBS := create start run exec kill delete state list ps pause resume update spec features explain \
	info version

.PHONY: install uninstall
install: ringfence ## install (PREFIX=/usr/local, DESTDIR=)
	install -d $(BINDIR) $(MANDIR) $(SHAREDIR)/bash-completion/completions \
		$(SHAREDIR)/zsh/site-functions $(SHAREDIR)/fish/vendor_completions.d $(SHAREDIR)/ringfence
	install -s -m 755 ringfence $(BINDIR)/ringfence
	./ringfence generate man >$(MANDIR)/ringfence.8
	for v in $(VERBS); do ./ringfence generate man $$v >$(MANDIR)/ringfence-$$v.8 || exit 1; done
	./ringfence generate bash >$(SHAREDIR)/bash-completion/completions/ringfence
	./ringfence generate zsh >$(SHAREDIR)/zsh/site-functions/_ringfence
	./ringfence generate fish >$(SHAREDIR)/fish/vendor_completions.d/ringfence.fish
	install -m 644 packaging/containers.conf.d/50-ringfence.conf $(SHAREDIR)/ringfence/

uninstall: ## remove what install put there
	rm -f $(BINDIR)/ringfence $(MANDIR)/ringfence.8 $(MANDIR)/ringfence-*.8 \
		$(SHAREDIR)/bash-completion/completions/ringfence $(SHAREDIR)/zsh/site-functions/_ringfence \
		$(SHAREDIR)/fish/vendor_completions.d/ringfence.fish
	rm -rf $(SHAREDIR)/ringfence
