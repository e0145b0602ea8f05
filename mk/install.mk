# make install: the binary, man pages and completions, made from the program's own tables; make deb:
# the same as a Debian package.

BINDIR := $(DESTDIR)$(PREFIX)/bin
SHAREDIR := $(DESTDIR)$(PREFIX)/share
# Where podman's snippet goes; nothing reads the default place.
CONFDIR ?= $(PREFIX)/share/ringfence
MANDIR := $(SHAREDIR)/man/man8
BASHDIR := $(SHAREDIR)/bash-completion/completions
ZSHDIR := $(SHAREDIR)/zsh/site-functions
FISHDIR := $(SHAREDIR)/fish/vendor_completions.d

# What the program prints goes through a file of its own: a failing print fails the target.
.PHONY: pages
pages: ringfence
	@mkdir -p $(O)/pages
	@for v in $$(./ringfence generate verbs); do \
		./ringfence generate man $$v >$(O)/pages/ringfence-$$v.8 || exit 1; done
	@./ringfence generate man >$(O)/pages/ringfence.8
	@for s in bash zsh fish; do ./ringfence generate $$s >$(O)/pages/$$s || exit 1; done

.PHONY: install uninstall
install: ringfence pages ## install (PREFIX=/usr/local, DESTDIR=)
	install -d $(BINDIR) $(MANDIR) $(BASHDIR) $(ZSHDIR) $(FISHDIR) $(DESTDIR)$(CONFDIR)
	install -s -m 755 ringfence $(BINDIR)/ringfence
	install -m 644 $(O)/pages/*.8 $(MANDIR)/
	install -m 644 $(O)/pages/bash $(BASHDIR)/ringfence
	install -m 644 $(O)/pages/zsh $(ZSHDIR)/_ringfence
	install -m 644 $(O)/pages/fish $(FISHDIR)/ringfence.fish
	install -m 644 packaging/containers.conf.d/50-ringfence.conf $(DESTDIR)$(CONFDIR)/

uninstall: ## remove what install put there
	rm -f $(BINDIR)/ringfence $(MANDIR)/ringfence.8 $(MANDIR)/ringfence-*.8 \
		$(BASHDIR)/ringfence $(ZSHDIR)/_ringfence $(FISHDIR)/ringfence.fish \
		$(DESTDIR)$(CONFDIR)/50-ringfence.conf
	if [ -d $(SHAREDIR)/ringfence ]; then rmdir --ignore-fail-on-non-empty $(SHAREDIR)/ringfence; fi

# A clean copy of the sources with packaging/debian as debian/; the package appears in build/deb/.
DEB_TREE := build/deb/ringfence-$(VERSION)
DEB_SOURCES := ringfence.c $(wildcard $(ROOMS)) Makefile mk LICENSE README.md CHANGELOG.md docs packaging scripts

.PHONY: deb
deb: ## build the Debian package: build/deb/ringfence_VERSION_ARCH.deb
	@scripts/deps.sh build deb
	rm -rf build/deb
	mkdir -p $(DEB_TREE)
	cp -a $(DEB_SOURCES) $(DEB_TREE)/
	cp -a packaging/debian $(DEB_TREE)/debian
	cd $(DEB_TREE) && dpkg-buildpackage -b -us -uc
