// configure-app.ts
import { ValidationPipe, type INestApplication } from '@nestjs/common';

export function configureApp(app: Pick<INestApplication, 'useGlobalPipes'>): void {
  app.useGlobalPipes(new ValidationPipe({ transform: true }));
}
