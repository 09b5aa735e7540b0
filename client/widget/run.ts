import '../ui/tokens.css';
import '../ui/base.css';
import { mount } from 'svelte';
import Run from './Run.svelte';
import { siteFromAddress } from './site.ts';

const target = document.getElementById('app');
if (!target) throw new Error('run.html has no #app');
mount(Run, { target, props: { site: siteFromAddress() } });
