// Changes of the ROAs of a CA that were not made yet. A draft is a value: each
// step gives a new one. Routes are known by keyOf; a configured route that is
// among the additions gets another comment.

import { keyOf, type Configuration, type Payload } from './roas'

export type Draft = { added: ReadonlyMap<string, Configuration>; removed: ReadonlyMap<string, Configuration> }
export type Configured = ReadonlyMap<string, Configuration>

export const emptyDraft: Draft = { added: new Map(), removed: new Map() }

export const sizeOf = (d: Draft) => d.added.size + d.removed.size

const commentOf = (r: Configuration) => r.comment?.trim() || null

// There shall be this route, with this comment.
export function put(d: Draft, configured: Configured, r: Configuration): Draft {
  const key = keyOf(r)
  const { added, removed } = undo(d, key)
  const there = configured.get(key)
  if (there && commentOf(there) === commentOf(r)) return { added, removed }
  return { added: new Map(added).set(key, { ...r, comment: commentOf(r) }), removed }
}

// There shall be no such route.
export function take(d: Draft, configured: Configured, key: string): Draft {
  const { added, removed } = undo(d, key)
  const there = configured.get(key)
  return there ? { added, removed: new Map(removed).set(key, there) } : { added, removed }
}

// Nothing shall change about this route.
export function undo(d: Draft, key: string): Draft {
  const added = new Map(d.added)
  const removed = new Map(d.removed)
  added.delete(key)
  removed.delete(key)
  return { added, removed }
}

// Leaves out what others did meanwhile.
export function settle(d: Draft, configured: Configured): Draft {
  let out = emptyDraft
  for (const r of d.added.values()) out = put(out, configured, r)
  for (const key of d.removed.keys()) out = take(out, configured, key)
  return out
}

export type Change = { key: string; kind: 'add' | 'comment' | 'remove'; roa: Configuration; was?: string | null }

export function changes(d: Draft, configured: Configured): Change[] {
  const out: Change[] = []
  for (const [key, roa] of d.added) {
    const there = configured.get(key)
    out.push(there ? { key, kind: 'comment', roa, was: commentOf(there) } : { key, kind: 'add', roa })
  }
  for (const [key, roa] of d.removed) out.push({ key, kind: 'remove', roa })
  return out
}

const payload = ({ asn, prefix, max_length }: Payload): Payload => ({ asn, prefix, max_length: max_length ?? Number(prefix.split('/')[1]) })

// The body of POST …/routes.
export function delta(d: Draft) {
  return {
    added: [...d.added.values()].map((r) => ({ ...payload(r), comment: r.comment ?? null })),
    removed: [...d.removed.values()].map(payload),
  }
}

export const toText = (d: Draft) => JSON.stringify({ added: [...d.added.values()], removed: [...d.removed.values()] })

// Reads what toText wrote; anything else is an empty draft.
export function fromText(text: string | null): Draft {
  try {
    const { added, removed } = JSON.parse(text ?? '') as { added: Configuration[]; removed: Configuration[] }
    const byKey = (list: Configuration[]) => new Map(list.map((r) => [keyOf(r), r]))
    return { added: byKey(added), removed: byKey(removed) }
  } catch {
    return emptyDraft
  }
}
