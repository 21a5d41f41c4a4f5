// Writing in place of what the user saw, which others may change too.

import { Refusal } from './refusal'

// What the server has, or what would change, and the version of the CA (ETag)
// that it was told of; null if the server names none.
export type Seen<T> = { data: T; version: string | null }

type Header = { 'If-Match'?: string }

const tries = 8

// Writes at the version that is there, if what is read there is still as the
// user saw it; that the CA moved on by something else, such as signing, is no
// reason to ask again. Otherwise it gives what is there now, and nothing is
// written. With seen the first attempt is at its version, and needs no reading.
export async function makeSeen<T, M>(given: {
  read: () => Promise<Seen<T>>
  asSeen: (now: T) => boolean
  write: (ifMatch: Header) => Promise<M>
  seen?: Seen<T>
}): Promise<{ made: M; now?: undefined } | { made?: undefined; now: Seen<T> }> {
  const { read, asSeen, write, seen } = given
  for (let left = tries, at = seen; ; left--, at = undefined) {
    const now = at ?? (await read())
    if (now !== seen && !asSeen(now.data)) return { now }
    try {
      return { made: await write(now.version === null ? {} : { 'If-Match': now.version }) }
    } catch (e) {
      if (!(e instanceof Refusal) || e.label !== 'version-mismatch' || left <= 1) throw e
    }
  }
}

// Makes a difference that the user saw: the same, whatever the version is.
export function makeDifference<D extends object>(seen: Seen<D>, read: () => Promise<Seen<D>>, write: (ifMatch: Header) => Promise<Seen<D>>) {
  const text = (d: D) => JSON.stringify({ ...d, version: null, effect: null })
  return makeSeen({ read, asSeen: (now) => text(now) === text(seen.data), write, seen })
}

// Replaces what the user saw, or says that it is not there any more.
export async function replaceSeen<T>(read: () => Promise<Seen<T>>, asSeen: (now: T) => boolean, write: (ifMatch: Header) => Promise<unknown>): Promise<void> {
  const { now } = await makeSeen({ read, asSeen, write })
  if (now) throw new Error('Somebody else has changed this meanwhile. Close, look, and decide again.')
}

// Whether two values of the API are the same; the order of properties counts.
export const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)
