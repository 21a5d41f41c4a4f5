// Something that a screen asks of the server, and asks again.

import { ask } from '../lib/api'
import { steady } from '../lib/steady'
import type { Seen } from '../lib/whole'

// Load holds the newest answer. An answer that arrives after a newer question
// was asked is dropped. What was there before stays while it is asked again.
export class Load<T> {
  value = $state.raw<T | null>(null)
  fault = $state.raw<unknown>(null)
  busy = $state(false)
  #question = 0
  readonly #get: () => Promise<T>

  constructor(get: () => Promise<T>) {
    this.#get = get
  }

  async reload(): Promise<void> {
    const question = ++this.#question
    this.busy = true
    try {
      const value = await this.#get()
      await steady()
      if (question !== this.#question) return
      this.value = value
      this.fault = null
    } catch (e) {
      if (question === this.#question) this.fault = e
    } finally {
      if (question === this.#question) this.busy = false
    }
  }
}

// An answer with the version (ETag) that a replacement must name in If-Match,
// and how many entries there are in all where it is a page of a list.
export type Whole<T> = Seen<T> & { total: number }

export async function askWhole<T>(answer: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<Whole<T>> {
  let headers = new Headers()
  const data = await ask(
    answer.then((got) => {
      headers = got.response.headers
      return got
    }),
  )
  return { data, version: headers.get('ETag'), total: Number(headers.get('X-Total-Count') ?? 0) }
}

// every runs a function again and again until the returned function is
// called: for an $effect. A page that nobody looks at asks nothing.
export function every(milliseconds: number, run: () => unknown): () => void {
  const timer = setInterval(() => document.visibilityState === 'visible' && run(), milliseconds)
  return () => clearInterval(timer)
}
