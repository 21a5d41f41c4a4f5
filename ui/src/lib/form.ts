// The fields of a ROA as they are typed.

import { bitsOf, formatPrefix, holds, parseASN, parsePrefix } from './net'
import type { Configuration } from './roas'

export type Typed = { asn: string; prefix: string; maxLength: string; comment: string }
export type Field = keyof Typed
export type Faults = Partial<Record<Field, string>>

// Reads a ROA, or says what is wrong beside the field that it concerns.
export function readROA(t: Typed, held: { ipv4: string; ipv6: string } | null): { roa?: Configuration; faults: Faults } {
  const faults: Faults = {}
  const asn = parseASN(t.asn)
  if (asn === null) faults.asn = 'An AS number is from 0 to 4294967295, such as 64496 or AS64496.'
  const prefix = parsePrefix(t.prefix)
  if (!prefix) faults.prefix = 'A prefix is an address and a length, such as 192.0.2.0/24 or 2001:db8::/32.'
  else if (!prefix.exact) faults.prefix = `The address has bits behind the length: did you mean ${formatPrefix(prefix)}?`
  else if (held && !holds(prefix.v6 ? held.ipv6 : held.ipv4, prefix)) faults.prefix = 'This CA does not hold that prefix.'
  let maxLength = prefix?.length ?? 0
  if (prefix && t.maxLength.trim() !== '') {
    maxLength = Number(t.maxLength)
    if (!/^\d+$/.test(t.maxLength.trim()) || maxLength < prefix.length || maxLength > bitsOf(prefix)) faults.maxLength = `The maximum length is from ${prefix.length} to ${bitsOf(prefix)}.`
  }
  if (Object.keys(faults).length > 0 || asn === null || !prefix) return { faults }
  return { roa: { asn, prefix: formatPrefix(prefix), max_length: maxLength, comment: t.comment.trim() || null }, faults }
}
