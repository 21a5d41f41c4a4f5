// What a change of ROAs does to announcements, and why the server refuses one.

import { announcementKey, isROA, keyOf, type Announcement, type Entry, type State } from './roas'
import type { components } from './schema'

export type Validity = 'valid' | 'invalid' | 'not found'
export type Effect = { announcement: Announcement; from: Validity; to: Validity }

// RFC 6811, section 2.
export function validityOf(state: State): Validity {
  if (state === 'announcement_valid') return 'valid'
  return state === 'announcement_not_found' ? 'not found' : 'invalid'
}

const worst: Record<Validity, number> = { invalid: 0, 'not found': 1, valid: 2 }

// Compares announcements as they are with what a dry run says of some of them;
// what becomes invalid comes first.
export function effects(before: Entry[], after: Entry[]): Effect[] {
  const was = new Map<string, Validity>()
  for (const e of before) if (!isROA(e)) was.set(announcementKey(e), validityOf(e.state))
  const out: Effect[] = []
  for (const e of after) {
    if (isROA(e)) continue
    const [from, to] = [was.get(announcementKey(e)) ?? 'not found', validityOf(e.state)]
    if (from !== to) out.push({ announcement: { asn: e.asn, prefix: e.prefix }, from, to })
  }
  return out.sort((a, b) => worst[a.to] - worst[b.to])
}

type DeltaError = components['schemas']['ROADeltaError']

const reasons: Record<keyof DeltaError, string> = {
  duplicates: 'is configured already',
  notheld: 'the prefix is not on any certificate of this CA',
  unknowns: 'is not configured (any more)',
  invalid_length: 'the maximum length does not fit the prefix',
}

// Why routes of a change are refused, by keyOf.
export function refusedRoutes(body: unknown): Map<string, string> {
  const error = (body as { delta_error?: DeltaError } | undefined)?.delta_error
  const out = new Map<string, string>()
  for (const kind of Object.keys(reasons) as (keyof DeltaError)[]) for (const r of error?.[kind] ?? []) out.set(keyOf(r), reasons[kind])
  return out
}
