// What the server's analysis suggests, as changes to choose from.

import { contains, parsePrefix } from './net'
import { keyOf, announcementKey, exact, type Announcement, type Configuration } from './roas'
import type { components } from './schema'

type Schema = components['schemas']

export type Suggestion = {
  id: string
  kind: 'add' | 'remove' | 'replace'
  what: string
  why: string
  add: Configuration[]
  remove: Configuration[]
  chosen: boolean // at first: what changes no announcement's validity for the worse
}

// Additions are never chosen at first: that somebody announces a prefix does not
// mean that he may.
export function suggestionsOf(s: Schema['BGPAnalysisSuggestion']): Suggestion[] {
  const add = (why: string) => (a: Announcement): Suggestion => ({ id: '+' + keyOf(a), kind: 'add', what: announcementKey(a), why, add: [exact(a)], remove: [], chosen: false })
  const remove = (why: string, chosen: boolean) => (r: Configuration): Suggestion => ({ id: '-' + keyOf(r), kind: 'remove', what: keyOf(r), why, add: [], remove: [r], chosen })
  return [
    ...(s.invalid_asn ?? []).map(add('is announced, but invalid: ROAs name other ASes')),
    ...(s.invalid_length ?? []).map(add('is announced, but invalid: longer than the maximum length')),
    ...(s.not_found ?? []).map(add('is announced, and no ROA covers it')),
    ...(s.too_permissive ?? []).map(replacement),
    ...(s.redundant ?? []).map((r) => remove('another ROA allows the same', !leansOn(r, s.too_permissive ?? []))(r)),
    ...(s.as0_redundant ?? []).map(remove('AS0 has no effect beside the ROA of a real AS', true)),
    ...(s.not_held ?? []).map(remove('the prefix is no longer held', true)),
    ...(s.disallowing ?? []).map(remove('authorises nothing that is seen, and makes announcements invalid', false)),
    ...(s.stale ?? []).map(remove('nothing that is seen falls under it: planned, or a backup?', false)),
  ]
}

type Replacement = NonNullable<Schema['BGPAnalysisSuggestion']['too_permissive']>[number]

// Whether a redundant ROA lies under one that is to be replaced by exact ones:
// without both, an announcement may have none left.
function leansOn(r: Configuration, replaced: Replacement[]): boolean {
  const inner = parsePrefix(r.prefix)
  return replaced.some(({ current }) => {
    const outer = parsePrefix(current.prefix)
    return current.asn === r.asn && inner !== null && outer !== null && contains(outer, inner)
  })
}

function replacement(r: Replacement): Suggestion {
  const comment = r.current.comment ?? null
  const add = r.new.map((n) => ({ ...exact(n), comment }))
  const what = keyOf(r.current)
  return { id: '~' + what, kind: add.length > 0 ? 'replace' : 'remove', what, why: 'allows more than what is seen', add, remove: [r.current], chosen: true }
}
