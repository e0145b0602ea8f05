/* microvm/inflate.h: unpacks raw deflate streams (RFC 1951), for compressed clusters of qcow2.
 *
 * Invariants
 *  1. The input is hostile: nothing is read outside of it, nothing written outside of the output,
 *     and the work is bounded by both lengths.
 *  2. No memory is allocated.
 */
#ifndef RF_MICROVM_INFLATE_H
#define RF_MICROVM_INFLATE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Unpacks until the stream or the output ends: returns how many bytes came out. -EINVAL: the stream
 * is malformed or cut. */
ssize_t vm_inflate(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len);

#endif
