// app.module.ts
export { configureApp as configureWorker } from './configure-app.js';
