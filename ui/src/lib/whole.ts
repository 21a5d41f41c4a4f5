// Whole configurations: made exactly as the difference that the user saw.

import { Refusal } from './refusal'

type Difference<V> = { version: V; effect?: unknown }

const tries = 8

// Makes it if the difference is still the one that was seen; that the CA moved on
// by something else, such as signing, is no reason to ask again. Otherwise it
// gives the difference as it is now, and nothing is done.
export async function makeSeen<V, D extends Difference<V>>(seen: D, compare: () => Promise<D>, make: (version: D['version']) => Promise<D>): Promise<{ made?: D; now?: D }> {
  for (let left = tries, { version } = seen; ; left--) {
    try {
      return { made: await make(version) }
    } catch (e) {
      if (!(e instanceof Refusal) || e.label !== 'version-mismatch' || left <= 1) throw e
    }
    const now = await compare()
    if (text(now) !== text(seen)) return { now }
    version = now.version
  }
}

const text = (d: Difference<unknown>) => JSON.stringify({ ...d, version: 0, effect: null })
