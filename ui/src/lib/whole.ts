// Whole configurations: made exactly as the difference that the user saw.

import { Refusal } from './refusal'

// What would change, and the ETag of the CA that it was compared with.
type Compared<D> = { difference: D; tag: string }

const tries = 8

// Makes it if the difference is still the one that was seen; that the CA moved on
// by something else, such as signing, is no reason to ask again. Otherwise it
// gives the difference as it is now, and nothing is done.
export async function makeSeen<D extends object>(
  seen: Compared<D>,
  compare: () => Promise<Compared<D>>,
  make: (tag: string) => Promise<Compared<D>>,
): Promise<{ made?: D; now?: Compared<D> }> {
  for (let left = tries, { tag } = seen; ; left--) {
    try {
      return { made: (await make(tag)).difference }
    } catch (e) {
      if (!(e instanceof Refusal) || e.label !== 'version-mismatch' || left <= 1) throw e
    }
    const now = await compare()
    if (text(now.difference) !== text(seen.difference)) return { now }
    tag = now.tag
  }
}

const text = (d: object) => JSON.stringify({ ...d, version: null, effect: null })
