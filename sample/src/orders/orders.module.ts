import { Module } from '@nestjs/common';
import { OrderDatabase } from './order-database.js';
import { OrdersController } from './orders.controller.js';
import { OrderTasks } from './orders.tasks.js';

@Module({ controllers: [OrdersController], providers: [OrderDatabase, OrderTasks] })
export class OrdersModule {}
