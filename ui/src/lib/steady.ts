// Nothing moves under a pointer that is pressed: a button that gives way between
// mouse-down and mouse-up is not clicked, or another one is. What arrives by
// itself, such as an answer of the server or a tick of the clock, waits here
// before it is shown.

const longest = 30_000 // ms: whoever holds a pointer longer is not about to click

let pressed = false
let timer: ReturnType<typeof setTimeout> | undefined
let waiting: (() => void)[] = []

// Resolves at once, or when the pointer is no longer pressed and its click was
// handled.
export const steady = (): Promise<void> => (pressed ? new Promise((go) => waiting.push(go)) : Promise.resolve())

function press() {
  pressed = true
  clearTimeout(timer)
  timer = setTimeout(release, longest)
}

function release() {
  clearTimeout(timer)
  pressed = false
  const all = waiting
  waiting = []
  for (const go of all) go()
}

// The click comes right after the pointer went up: at once after a mouse, a
// little later after a finger.
function lift(e: PointerEvent) {
  clearTimeout(timer)
  timer = setTimeout(release, e.pointerType === 'mouse' ? 0 : 60)
}

// Watches the pointer from now on. Where it is let go out of sight, as over the
// list of a select, its next move tells, or a key.
export function watchPointer(on: Pick<Window, 'addEventListener'>) {
  on.addEventListener('pointerdown', press, true)
  on.addEventListener('pointerup', lift, true)
  on.addEventListener('pointercancel', lift, true)
  on.addEventListener('keydown', release, true)
  on.addEventListener('pointermove', (e) => pressed && e.buttons === 0 && lift(e), true)
}
