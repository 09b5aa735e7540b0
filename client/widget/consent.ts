import '../ui/tokens.css';
import '../ui/base.css';
import { mount } from 'svelte';
import Consent from './Consent.svelte';
import { siteFromAddress } from './site.ts';

const target = document.getElementById('app');
if (!target) throw new Error('consent.html has no #app');
mount(Consent, { target, props: { site: siteFromAddress() } });
