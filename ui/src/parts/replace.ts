// Replacing a whole that others may change too.

import type { Whole } from './load.svelte'

const tries = 4

// Writes in place of what the user saw, if that is still there. That the CA
// moved on by something else, such as signing, is no reason to give up: then
// it is read and compared again.
export async function replaceSeen<T>(read: () => Promise<Whole<T>>, asSeen: (now: T) => boolean, write: (ifMatch: { 'If-Match'?: string }) => Promise<unknown>): Promise<void> {
  for (let left = tries; ; left--) {
    const now = await read()
    if (!asSeen(now.data)) throw new Error('Somebody else has changed this meanwhile. Close, look, and decide again.')
    try {
      await write(now.version ? { 'If-Match': now.version } : {})
      return
    } catch (e) {
      if (left <= 1 || (e as { label?: string }).label !== 'version-mismatch') throw e
    }
  }
}

// Whether two values of the API are the same; the order of properties counts.
export const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)
