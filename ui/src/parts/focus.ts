// The focus of who uses the keyboard.

import { tick } from 'svelte'

// Remembers where the focus is. The function that it gives puts it there again
// if it was lost because the element could not be used for a while.
export function keepFocus(): () => Promise<void> {
  const was = document.activeElement as HTMLElement | null
  return async () => {
    await tick()
    const lost = document.activeElement === null || document.activeElement === document.body || document.activeElement.tagName === 'DIALOG'
    if (lost && was?.isConnected) was.focus()
  }
}
