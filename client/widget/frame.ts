import '../ui/tokens.css';
import '../ui/base.css';
import { mount } from 'svelte';
import Frame from './Frame.svelte';
import { siteFromAddress } from './site.ts';

const target = document.getElementById('app');
if (!target) throw new Error('frame.html has no #app');
mount(Frame, { target, props: { site: siteFromAddress() } });
