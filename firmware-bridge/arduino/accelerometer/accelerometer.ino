// An accelerometer as plain text: one reading a line, in m/s2, separated by commas; what `acclimate serial watch` and Edge
// Impulse's data forwarder read. For an MPU-6050 on I2C (SDA, SCL, VCC, GND), with nothing but the Wire library.
//
// The host finds columns and rate out by itself. Print nothing else: a line with anything but numbers is a lost reading.
// Report a fault as a line that begins with `ERR`.

#include <Wire.h>

const uint8_t SENSOR = 0x68;
const uint32_t PERIOD_US = 10000;            // 100 readings a second
const float SCALE = 9.80665f / 8192.0f;      // at +-4 g

uint32_t due;

void write_register(uint8_t name, uint8_t value) {
  Wire.beginTransmission(SENSOR);
  Wire.write(name);
  Wire.write(value);
  Wire.endTransmission();
}

void setup() {
  Serial.begin(115200);
  Wire.begin();
  Wire.setClock(400000);
  write_register(0x6B, 0x00);                // awake
  write_register(0x1A, 0x03);                // low-pass at 44 Hz, below half the rate
  write_register(0x1C, 0x08);                // +-4 g
  due = micros();
}

int16_t read_word() {
  uint8_t high = Wire.read();                // one after the other: C++ does not order the sides of `|`
  uint8_t low = Wire.read();
  return (int16_t)((high << 8) | low);
}

void loop() {
  if ((int32_t)(micros() - due) < 0) return;
  due += PERIOD_US;                          // not `now + PERIOD_US`: the rate would drift

  Wire.beginTransmission(SENSOR);
  Wire.write(0x3B);
  if (Wire.endTransmission(false) != 0 || Wire.requestFrom(SENSOR, (uint8_t)6) != 6) {
    Serial.println("ERR accelerometer does not answer");
    return;
  }
  float x = read_word() * SCALE, y = read_word() * SCALE, z = read_word() * SCALE;
  Serial.print(x, 3);
  Serial.print(',');
  Serial.print(y, 3);
  Serial.print(',');
  Serial.println(z, 3);
}
