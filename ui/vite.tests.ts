import { readdirSync } from 'node:fs'
import { defineConfig } from 'vite'

// Turns src/**/*.test.ts into what node --test runs.
const tests = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.test.ts'))

export default defineConfig({
  build: {
    ssr: true,
    outDir: 'node_modules/.tests',
    emptyOutDir: true,
    target: 'node20',
    rolldownOptions: { input: Object.fromEntries(tests.map((name) => [name.replace(/\.ts$/, '').replaceAll('/', '-'), 'src/' + name])) },
  },
})
