// Every script, in one browser; with ONLY, those whose names it holds.
import { after } from 'node:test'
import { end } from './page.mjs'

for (const name of ['login', 'roles', 'steady', 'roas', 'large', 'setup', 'parents', 'aspas', 'children', 'keys', 'objects', 'testbed', 'server']) {
  if (name.includes(process.env.ONLY ?? '')) await import(`./${name}.mjs`)
}
after(end)
