import { mount } from 'svelte'
import App from './App.svelte'
import { watchPointer } from './lib/steady'
import './app.css'

const target = document.getElementById('app')
if (!target) throw new Error('the page has no element #app')
watchPointer(window)
export default mount(App, { target })
