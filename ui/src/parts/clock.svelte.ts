// The time by which "3 minutes ago" is told; it moves on by itself.

class Clock {
  now = $state(Date.now() / 1000)

  constructor() {
    setInterval(() => (this.now = Date.now() / 1000), 15_000)
  }
}

export const clock = new Clock()
