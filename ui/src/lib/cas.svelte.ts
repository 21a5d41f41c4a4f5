// The CAs that the user may read, and the one that was looked at last.

import { api, ask } from './api'

const lastKey = 'baleen'

class CAs {
  // Handles, as the server lists them; null until they were asked for.
  list = $state.raw<string[] | null>(null)

  async load() {
    const answer = await ask(api.GET('/api/v1/cas'))
    this.list = answer.cas.map((c) => c.handle)
  }

  get last(): string | null {
    const last = localStorage.getItem(lastKey)
    return last && this.list?.includes(last) ? last : (this.list?.[0] ?? null)
  }

  look(handle: string) {
    localStorage.setItem(lastKey, handle)
  }
}

export const cas = new CAs()
