// ASPA definitions as a screen shows and changes them.

import type { Schema } from '../../lib/api'
import { blocks } from '../../parts/text'

type Definition = Schema['ASPADefinition']

// Whether an AS number is within a list such as "AS1-AS3, AS7".
export const holds = (list: string | undefined, asn: number): boolean =>
  blocks(list).some((block) => {
    const [first, last] = block.split('-').map((a) => Number(a.trim().replace(/^AS/i, '')))
    return asn >= first! && asn <= (last ?? first!)
  })

// What must be added and removed to come from one list of providers to another.
export function providersDelta(was: number[], wanted: number[]): { added: number[]; removed: number[] } {
  return { added: [...new Set(wanted)].filter((p) => !was.includes(p)), removed: was.filter((p) => !wanted.includes(p)) }
}

// The definitions of or with an AS whose digits begin so; all if nothing is asked.
export function matching(definitions: Definition[], asked: string): Definition[] {
  const digits = asked.trim().replace(/^AS/i, '')
  if (digits === '') return definitions
  return definitions.filter((d) => [d.customer, ...d.providers].some((asn) => String(asn).startsWith(digits)))
}

// A whole configuration is JSON if it begins like that, else CSV.
export const contentType = (text: string): string => (/^\s*\[/.test(text) ? 'application/json' : 'text/csv')
