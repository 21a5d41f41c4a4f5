// The keys of a resource class in the stages of a roll (RFC 6489).

import type { Schema } from '../../lib/api'

type State = Schema['KeyState']

export type Key = { role: 'current' | 'new' | 'old' | 'pending'; id: string; cert: Schema['CertInfo'] | null }

export type Stage = { name: string; kind: 'good' | 'warn'; says: string; keys: Key[]; waits: boolean }

const certified = (role: Key['role'], k: Schema['CertifiedKeyInfo']): Key => ({ role, id: k.key_id, cert: k.incoming_cert })
const pending = (k: Schema['PendingKeyInfo']): Key => ({ role: 'pending', id: k.key_id, cert: null })

// What stage a class is in; waits says that the next stage comes by itself.
export function stage(s: State): Stage {
  if (s.roll_pending)
    return {
      name: 'roll: certificate asked for',
      kind: 'warn',
      says: 'A new key waits for its certificate from the parent. The current key signs everything.',
      keys: [certified('current', s.roll_pending.active_key), pending(s.roll_pending.pending_key)],
      waits: true,
    }
  if (s.roll_new)
    return {
      name: 'roll: new key staged',
      kind: 'warn',
      says: 'The new key is certified and publishes an empty manifest and a CRL. The current key signs everything until the new one is activated.',
      keys: [certified('current', s.roll_new.active_key), certified('new', s.roll_new.new_key)],
      waits: false,
    }
  if (s.roll_old)
    return {
      name: 'roll: old key to be revoked',
      kind: 'warn',
      says: 'The new key signs everything. The roll ends by itself when the parent has revoked the old key.',
      keys: [certified('current', s.roll_old.active_key), certified('old', s.roll_old.old_key)],
      waits: true,
    }
  if (s.active) return { name: 'active', kind: 'good', says: '', keys: [certified('current', s.active.active_key)], waits: false }
  return {
    name: 'pending',
    kind: 'warn',
    says: 'The key waits for its first certificate from the parent. Nothing is published yet.',
    keys: s.pending ? [pending(s.pending.pending_key)] : [],
    waits: true,
  }
}

type Classes = Record<string, Schema['ResourceClassInfo']>

const classesIn = (classes: Classes, is: (s: State) => unknown): string[] =>
  Object.entries(classes)
    .filter(([, rc]) => is(rc.keys))
    .map(([name]) => name)

// The classes whose keys can begin to be rolled, and those whose new keys can
// follow.
export const rollable = (classes: Classes): string[] => classesIn(classes, (s) => s.active)
export const staged = (classes: Classes): string[] => classesIn(classes, (s) => s.roll_new)

// Since when the new keys are certified, the youngest of them: RFC 6489 section
// 2 wants 24 hours to pass before they follow.
export function stagedSince(classes: Classes): number {
  const times = Object.values(classes).flatMap((rc) => (rc.keys.roll_new ? [Date.parse(rc.keys.roll_new.new_key.incoming_cert.validity.not_before) / 1000] : []))
  return Math.max(0, ...times)
}
