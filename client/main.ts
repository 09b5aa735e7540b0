import './ui/tokens.css';
import './ui/base.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { keepForOffline } from './install/register.ts';

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no #app');
mount(App, { target });
keepForOffline();
