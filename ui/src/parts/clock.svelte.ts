// The time by which "3 minutes ago" is told; it moves on by itself.

import { steady } from '../lib/steady'

class Clock {
  now = $state(Date.now() / 1000)

  constructor() {
    setInterval(async () => {
      await steady() // another text may be wider
      this.now = Date.now() / 1000
    }, 15_000)
  }
}

export const clock = new Clock()
