/* microvm/iov.c: bytes into and out of a chain's buffers. No sum of offset and length is formed
 * that could wrap. */
#include "microvm/queue.h"

#include <string.h>

unsigned vm_iov_slice(const struct iovec *v, unsigned n, size_t offset, size_t len,
		      struct iovec *ret)
{
	unsigned k = 0;

	for (unsigned i = 0; i < n && len; i++) {
		size_t part;

		if (offset >= v[i].iov_len) {
			offset -= v[i].iov_len;
			continue;
		}
		part = v[i].iov_len - offset;
		if (part > len)
			part = len;
		ret[k++] = (struct iovec){(char *)v[i].iov_base + offset, part};
		len -= part;
		offset = 0;
	}
	return k;
}

/* The next piece at *offset, which then stands behind it; 0 at the end. */
static size_t next_piece(const struct iovec *v, unsigned n, size_t *offset, size_t len,
			 void **ret_at)
{
	struct iovec one;
	size_t skip = *offset;
	unsigned i = 0;

	while (i < n && skip >= v[i].iov_len)
		skip -= v[i++].iov_len;
	if (i == n || !vm_iov_slice(&v[i], 1, skip, len, &one))
		return 0;
	*ret_at = one.iov_base;
	*offset += one.iov_len;
	return one.iov_len;
}

size_t vm_iov_read(const struct iovec *v, unsigned n, size_t offset, void *to, size_t len)
{
	size_t done = 0, k;
	void *at;

	while (done < len && (k = next_piece(v, n, &offset, len - done, &at))) {
		memcpy((char *)to + done, at, k);
		done += k;
	}
	return done;
}

size_t vm_iov_write(const struct iovec *v, unsigned n, size_t offset, const void *from, size_t len)
{
	size_t done = 0, k;
	void *at;

	while (done < len && (k = next_piece(v, n, &offset, len - done, &at))) {
		memcpy(at, (const char *)from + done, k);
		done += k;
	}
	return done;
}
