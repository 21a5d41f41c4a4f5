import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

// The server that the page talks to while it is being worked on (npm run dev).
const server = process.env.BALEEN_SERVER ?? 'https://localhost:3000'

// The server serves index.html below /ui and everything else at /assets, one
// segment deep. Nothing is inlined: the page's Content-Security-Policy lets
// only files of the server itself in.
export default defineConfig({
  base: '/',
  plugins: [svelte()],
  build: {
    outDir: '../internal/web/ui/dist',
    emptyOutDir: true,
    assetsDir: 'assets',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
  },
  server: { proxy: Object.fromEntries(['/api', '/auth', '/stats', '/testbed', '/ta', '/health', '/rrdp'].map((p) => [p, { target: server, secure: false }])) },
})
