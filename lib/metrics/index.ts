/** The entry point. The build replaces this line by one that shares one implementation (lib/one-implementation.ts). */
export * from './public-api.js';
