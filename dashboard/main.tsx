import { render } from 'preact';
import { App } from './app.js';
import { isZoneKnown } from './format.js';
import { startKeys } from './keys.js';
import { startLive } from './live.js';
import { startTheme } from './parts/theme.js';
import { startRouter } from './router.js';

isZoneKnown.value = true;
startTheme();
startRouter();
startLive();
startKeys();
render(<App />, document.querySelector('#app') as HTMLElement);
