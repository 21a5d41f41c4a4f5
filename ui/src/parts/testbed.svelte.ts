// Whether the server has a testbed. It is asked once.

import { api } from '../lib/api'
import { steady } from '../lib/steady'

class Testbed {
  here = $state<boolean | null>(null)
  #asked: Promise<void> | null = null

  // Only the status matters: without a testbed the path does not exist.
  ask(): Promise<void> {
    this.#asked ??= api.GET('/testbed/enabled', { parseAs: 'text' }).then(
      async (got) => {
        await steady()
        this.here = got.response.ok
      },
      () => void (this.#asked = null), // the server does not answer: ask again
    )
    return this.#asked
  }
}

export const testbed = new Testbed()
