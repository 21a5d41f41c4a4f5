// Short messages about what was just done or refused.

import { Refusal } from './api'
import { steady } from './steady'

export type Notice = { id: number; kind: 'done' | 'failed'; text: string }

const shownFor = 5000 // ms; failures stay until they are dismissed

class Notices {
  list = $state.raw<Notice[]>([])
  #next = 0

  done(text: string) {
    const id = this.#add('done', text)
    setTimeout(() => steady().then(() => this.dismiss(id)), shownFor)
  }

  failed(error: unknown) {
    this.#add('failed', messageOf(error))
  }

  dismiss(id: number) {
    this.list = this.list.filter((n) => n.id !== id)
  }

  #add(kind: Notice['kind'], text: string) {
    const id = this.#next++
    this.list = [...this.list, { id, kind, text }]
    return id
  }
}

export function messageOf(error: unknown): string {
  if (error instanceof Refusal || error instanceof Error) return error.message
  return String(error)
}

export const notices = new Notices()
