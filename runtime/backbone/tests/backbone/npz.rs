//! NumPy's `.npz`, as far as the golden files need it: little-endian f32 and u8, C order.

use std::{collections::BTreeMap, fs::File, io::Read as _, path::Path};

use acclimate_backbone::Tensor;
use ndarray::ArrayD;

/// The arrays of a file by name.
pub(crate) fn read(path: &Path) -> BTreeMap<String, Tensor> {
    let mut archive = zip::ZipArchive::new(File::open(path).unwrap()).unwrap();
    let mut arrays = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let name = entry.name().unwrap().strip_suffix(".npy").unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        arrays.insert(name, array(&bytes));
    }
    arrays
}

fn array(bytes: &[u8]) -> Tensor {
    assert_eq!(&bytes[..7], b"\x93NUMPY\x01", "only version 1 of the format");
    let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..10 + length]).unwrap();
    assert!(header.contains("'fortran_order': False"), "{header}");
    let shape = header.split_once("'shape': (").unwrap().1.split_once(')').unwrap().0;
    let shape: Vec<usize> =
        shape.split(',').map(str::trim).filter(|axis| !axis.is_empty()).map(|axis| axis.parse().unwrap()).collect();
    let data = &bytes[10 + length..];
    if header.contains("'|u1'") {
        return Tensor::U8(ArrayD::from_shape_vec(shape, data.to_vec()).unwrap());
    }
    assert!(header.contains("'<f4'"), "{header}");
    let numbers = data.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    Tensor::F32(ArrayD::from_shape_vec(shape, numbers).unwrap())
}
