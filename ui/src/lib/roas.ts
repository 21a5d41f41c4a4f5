// ROAs and announcements as rows of a table: what their states mean, finding
// and sorting them.

import { contains, parseAddress, parsePrefix, sortKey, bitsOf, type Prefix } from './net'
import type { components } from './schema'

type Schema = components['schemas']
export type Entry = Schema['BGPAnalysisEntry']
export type State = Entry['state']
export type Announcement = { asn: number; prefix: string }
export type Payload = { asn: number; prefix: string; max_length?: number | null }
export type Configuration = Payload & { comment?: string | null }
export type Tone = 'good' | 'warn' | 'bad' | ''

type StateInfo = { label: string; tone: Tone; why: string }

export const states: Record<State, StateInfo> = {
  roa_seen: { label: 'Seen', tone: 'good', why: 'Authorises at least one announcement that is seen.' },
  roa_unseen: { label: 'Not seen', tone: 'warn', why: 'No announcement that is seen falls under it. Remove it, unless it is planned or a backup.' },
  roa_too_permissive: { label: 'Too permissive', tone: 'warn', why: 'Its maximum length allows more than what is seen, which helps whoever forges the origin. Replace it by exact ROAs.' },
  roa_redundant: { label: 'Redundant', tone: 'warn', why: 'Another ROA of the same AS allows all that it allows. It can be removed.' },
  roa_disallowing: { label: 'Disallowing', tone: 'bad', why: 'Authorises nothing that is seen, but makes announcements invalid. Remove it, or say so with AS0.' },
  roa_as0: { label: 'AS0', tone: '', why: 'Says that nobody may announce this prefix (RFC 6483, section 4).' },
  roa_as0_redundant: { label: 'Redundant (AS0)', tone: 'warn', why: 'A ROA of a real AS covers the prefix, so that this one has no effect. It can be removed.' },
  roa_not_held: { label: 'Prefix removed', tone: 'bad', why: 'The prefix is no longer on the certificates of this CA: the ROA is not published. It can be removed.' },
  roa_no_announcement_info: { label: 'Not compared', tone: '', why: 'The server knows of no announcements to compare it with.' },
  announcement_valid: { label: 'Valid', tone: 'good', why: 'A ROA authorises it.' },
  announcement_invalid_length: { label: 'Invalid length', tone: 'bad', why: 'A ROA names its AS, but the prefix is longer than the maximum length. Networks that validate reject it.' },
  announcement_invalid_asn: { label: 'Invalid ASN', tone: 'bad', why: 'ROAs cover the prefix, but none names this AS. Networks that validate reject it: add a ROA if it is rightful.' },
  announcement_disallowed: { label: 'Disallowed', tone: 'bad', why: 'Only AS0 ROAs cover it: networks that validate reject it.' },
  announcement_not_found: { label: 'Not found', tone: 'warn', why: 'No ROA covers it. Add one if it is rightful.' },
}

export type Row = {
  key: string
  roa: boolean
  asn: number
  prefix: string
  maxLength: number | null
  comment: string
  state: State | null // null: only in the draft
  entry: Entry | null
  parsed: Prefix | null
  order: string
  hay: string
}

const maxLengthOf = (r: Payload) => r.max_length ?? Number(r.prefix.split('/')[1])

export const keyOf = (r: Payload) => `${r.prefix}-${maxLengthOf(r)} => ${r.asn}`
export const announcementKey = (a: Announcement) => `${a.prefix} by AS${a.asn}`
export const labelOf = (state: State | null) => (state ? states[state].label : 'Draft')
export const isROA = (e: Entry) => e.state.startsWith('roa_')

// A ROA for exactly this announcement.
export const exact = (a: Announcement): Payload => ({ asn: a.asn, prefix: a.prefix, max_length: maxLengthOf(a) })

// Rows for all ROAs, and for the announcements that no ROA authorises.
export function rowsOf(report: Entry[]): Row[] {
  return report.filter((e) => e.state !== 'announcement_valid').map((e) => rowOf(e, e.state, e))
}

export function rowOf(r: Configuration, state: State | null, entry: Entry | null): Row {
  const roa = entry === null || isROA(entry)
  const parsed = parsePrefix(r.prefix)
  const maxLength = roa ? maxLengthOf(r) : null
  const comment = r.comment ?? ''
  return {
    key: roa ? keyOf(r) : announcementKey(r),
    roa,
    asn: r.asn,
    prefix: r.prefix,
    maxLength,
    comment,
    state,
    entry,
    parsed,
    order: parsed ? sortKey(parsed) : r.prefix,
    hay: `as${r.asn} ${r.prefix}${maxLength === null ? '' : '-' + maxLength} ${labelOf(state)} ${roa ? 'roa' : 'announcement'} ${comment}`.toLowerCase(),
  }
}

// Chooses the rows in which all words of the query are found. A prefix or an
// address also finds what covers it, and a prefix what lies within it.
export function find(rows: Row[], query: string): Row[] {
  const tests = query.toLowerCase().split(/\s+/).filter(Boolean).map(testOf)
  return tests.length === 0 ? rows : rows.filter((row) => tests.every((t) => t(row)))
}

function testOf(word: string): (row: Row) => boolean {
  const address = parseAddress(word)
  const prefix = address ? { v6: address.v6, first: address.value, length: bitsOf(address), exact: true } : parsePrefix(word)
  if (!prefix) return (row) => row.hay.includes(word)
  return (row) => row.hay.includes(word) || (row.parsed !== null && (contains(row.parsed, prefix) || contains(prefix, row.parsed)))
}

export type Column = 'asn' | 'prefix' | 'comment' | 'state'
export type Order = { by: Column; down: boolean }

const compare = (a: string | number, b: string | number) => (a < b ? -1 : a > b ? 1 : 0)
const rank: Record<Tone, number> = { bad: 0, warn: 1, '': 2, good: 3 }

// What asks for attention comes first.
const stateRank = (s: State | null) => (s === null ? '' : rank[states[s].tone] + states[s].label)

function values(column: Column): (r: Row) => string | number {
  switch (column) {
    case 'asn':
      return (r) => r.asn
    case 'prefix':
      return (r) => r.order
    case 'comment':
      return (r) => r.comment.toLowerCase()
    case 'state':
      return (r) => stateRank(r.state)
  }
}

export function sorted(rows: Row[], order: Order): Row[] {
  const value = values(order.by)
  const sign = order.down ? -1 : 1
  const keyed = rows.map((row) => ({ row, value: value(row) }))
  keyed.sort((a, b) => sign * compare(a.value, b.value) || compare(a.row.order, b.row.order) || (a.row.maxLength ?? -1) - (b.row.maxLength ?? -1) || a.row.asn - b.row.asn)
  return keyed.map((k) => k.row)
}

// How many rows there are of each state, in the order in which they matter.
export function countStates(rows: Row[]): { state: State; count: number }[] {
  const counts = new Map<State, number>()
  for (const { state } of rows) if (state) counts.set(state, (counts.get(state) ?? 0) + 1)
  return [...counts].map(([state, count]) => ({ state, count })).sort((a, b) => compare(stateRank(a.state), stateRank(b.state)))
}
